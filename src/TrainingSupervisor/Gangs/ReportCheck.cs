namespace TrainingSupervisor;

/// <summary>What a report must have before a gang's loop sees it.</summary>
internal static class ReportCheck
{
    /// <exception cref="ArgumentException">The gang has no such worker, there is no such kind, or a text is null.</exception>
    public static void Run(GangSpec spec, Failure failure)
    {
        // From code that may know nothing of nullability: what the gang's loop trips over would end its supervision.
        if (failure is { Evidence: null } or { StderrTail: null } or { Diagnostics: null } or { SeenBy: null })
        {
            throw new ArgumentException($"A text of this {failure.Kind} is null; leave it empty if it is not known.", nameof(failure));
        }

        if (!Enum.IsDefined(failure.Kind)) throw new ArgumentException($"There is no failure of kind {failure.Kind}.", nameof(failure));
        if (failure.Worker is { } worker && !spec.Roles.Any(r => r.Name == worker.Role && worker.Index >= 0 && worker.Index < r.Count))
        {
            throw new ArgumentException(
                $"Gang '{spec.Name}' has no worker '{worker}'; it has {string.Join(", ", spec.Roles.Select(r => $"{r.Name}-0 to {r.Name}-{r.Count - 1}"))}.", nameof(failure));
        }
    }
}
