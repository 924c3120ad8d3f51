using System.Collections.Immutable;

namespace TrainingSupervisor.Engine.Learning;

/// <summary>Who is furthest behind in a gang that stands still: by step, and where the steps are equal by who is still in a phase.</summary>
/// <param name="Behind">By rank; empty if nobody is behind the others.</param>
/// <param name="Words">What the steps and phases say.</param>
internal sealed record HangSuspects(ImmutableArray<PodState> Behind, string Words)
{
    private const int Named = 5;

    public static HangSuspects Of(IReadOnlyList<PodState> running, string? cell = null)
    {
        // Each role counts its own steps: only within a role is anybody behind.
        var behind = ImmutableArray.CreateBuilder<PodState>();
        var words = new List<string>();
        foreach (var role in running.Where(p => p.Worker is not null).GroupBy(p => p.Worker!.Value.Role))
        {
            var workers = role.ToList();
            var reporting = workers.Where(p => p.Progress is not null).ToList();
            if (reporting.Count == 0) continue;
            // Where only some report, rank 0 say, the silence of the others means nothing.
            if (reporting.Count * 2 > workers.Count) reporting = workers;
            var least = reporting.Min(p => StepOf(p));
            var most = reporting.Max(p => StepOf(p));
            var last = reporting.Where(p => StepOf(p) == least).ToList();
            var away = last.Where(p => !PhaseTime.IsTraining(PhaseOf(p))).ToList();
            if (away.Count > 0 && away.Count < last.Count) last = away;
            if (last.Count == reporting.Count)
            {
                words.Add($"all of {cell ?? role.Key} are at step {least}{Of(PhaseOf(last[0]))}, so the steps do not tell who hangs");
                continue;
            }

            behind.AddRange(last);
            var more = last.Count > Named ? $" and {last.Count - Named} more" : "";
            words.Add($"furthest behind, at step {least} where others are at {most}: {string.Join(", ", last.Take(Named).Select(p => $"{p.Worker}{Of(PhaseOf(p))}"))}{more}");
        }

        return new HangSuspects(behind.ToImmutable(), words.Count == 0 ? "nobody says how far it is" : string.Join("; ", words));
    }

    private static long StepOf(PodState pod) => pod.Progress is { } p && p.Attempt == pod.Target ? p.Step : -1;

    private static string PhaseOf(PodState pod) => pod.Progress is { } p && p.Attempt == pod.Target ? p.Phase : "";

    private static string Of(string phase) => PhaseTime.IsTraining(phase) ? "" : $" in phase {phase}";
}
