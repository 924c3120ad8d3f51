namespace TrainingSupervisor.Engine.Learning;

/// <summary>A whole cell of which something is known, and where its workers are: ranks <paramref name="First"/> and as many after it as the cell has.</summary>
internal sealed record KnownCell(string Name, CellWatch Cell, CellTimes Times, RoleSpec Role, int First)
{
    public int Size => Role.CellSize;

    /// <summary>By role, and in each by name.</summary>
    public static IEnumerable<KnownCell> Of(GangDraft draft)
    {
        var book = draft.State.Progress;
        var first = 0;
        foreach (var role in draft.Spec.Roles)
        {
            var count = draft.State.CountOf(role);
            if (book.CellTimes.TryGetValue(role.Name, out var times))
            {
                foreach (var (name, cell) in book.Cells)
                {
                    if (cell.Role == role.Name && (cell.Index + 1) * role.CellSize <= count) yield return new KnownCell(name, cell, times, role, first + (cell.Index * role.CellSize));
                }
            }

            first += count;
        }
    }
}
