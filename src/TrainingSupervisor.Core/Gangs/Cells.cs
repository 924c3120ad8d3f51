namespace TrainingSupervisor;

/// <summary>Cells by name, as plans and the record call them: <c>trainer/2</c>.</summary>
internal static class Cells
{
    /// <summary>Null where the worker's role has no cells.</summary>
    public static string? Of(GangSpec spec, WorkerId? worker)
    {
        if (worker is not { } one) return null;
        foreach (var role in spec.Roles)
        {
            if (role.Name == one.Role) return role.CellSize > 0 ? Name(role, one.Index / role.CellSize) : null;
        }

        return null;
    }

    public static string Name(RoleSpec role, int cell) => $"{role.Name}/{cell}";
}
