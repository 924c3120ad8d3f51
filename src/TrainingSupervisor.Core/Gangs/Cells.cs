namespace TrainingSupervisor;

/// <summary>Cells by name, as plans and the record call them: <c>trainer/2</c>.</summary>
internal static class Cells
{
    /// <summary>Null where the worker's role has no cells.</summary>
    public static string? Of(GangSpec spec, WorkerId? worker) => worker is { } one && IndexOf(spec, one) is { } cell ? Name(one.Role, cell) : null;

    /// <summary>The same.</summary>
    public static int? IndexOf(GangSpec spec, WorkerId worker)
    {
        foreach (var role in spec.Roles)
        {
            if (role.Name == worker.Role) return role.CellSize > 0 ? worker.Index / role.CellSize : null;
        }

        return null;
    }

    public static string Name(string role, int cell) => $"{role}/{cell}";
}
