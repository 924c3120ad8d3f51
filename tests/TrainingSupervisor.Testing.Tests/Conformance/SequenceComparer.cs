namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>
/// Compares two sequences of states of which either may lack some that went by quickly. Ours must be contained in the
/// recorded one, in order: so no state appears that the real cluster did not show, and none too early. And what lasted longer than
/// <see cref="Milestone"/> in the recording must appear in ours, in order, and so must, however short, the states by which a restart of all
/// containers is recognised.
/// </summary>
internal static class SequenceComparer
{
    /// <summary>Seconds for which a state must have been seen to be one that may not be missing.</summary>
    public const double Milestone = 0.5;

    public static IReadOnlyList<string> Compare(IReadOnlyList<TimedState> recorded, IReadOnlyList<string> ours)
    {
        var differences = new List<string>();
        var at = 0;
        foreach (var state in ours)
        {
            var found = IndexFrom(recorded, at, state);
            if (found >= 0)
            {
                at = found + 1;
                continue;
            }

            var anywhere = IndexFrom(recorded, 0, state) >= 0;
            var next = at < recorded.Count ? recorded[at].State : "(the end)";
            differences.Add($"{(anywhere ? "out of order" : "never recorded")}: {state}\n    recorded next: {next}");
        }

        at = 0;
        foreach (var milestone in recorded.Where(IsMilestone))
        {
            var found = at;
            while (found < ours.Count && ours[found] != milestone.State)
            {
                found++;
            }

            if (found == ours.Count)
            {
                differences.Add($"missing: {milestone.State}");
            }
            else
            {
                at = found + 1;
            }
        }

        return differences;
    }

    private static bool IsMilestone(TimedState state) =>
        state.Seconds > Milestone
        || state.State.Contains("AllContainersRestarting=True", StringComparison.Ordinal)
        || state.State.Contains("waiting:RestartingAllContainers", StringComparison.Ordinal);

    private static int IndexFrom(IReadOnlyList<TimedState> states, int from, string state)
    {
        for (var i = from; i < states.Count; i++)
        {
            if (states[i].State == state)
            {
                return i;
            }
        }

        return -1;
    }
}
