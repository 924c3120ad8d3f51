using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Engine;

/// <summary>A gang in which nobody does a step any more.</summary>
internal static class HangDetector
{
    public static Failure? Find(GangDraft draft)
    {
        if (draft.Spec.HangTimeout is not { } timeout || !draft.State.Failures.IsEmpty) return null;
        var running = draft.State.Workers.Select(draft.Find).OfType<PodState>().Where(p => p.Runs(p.Target)).ToList();
        if (running.Count == 0) return null;
        var due = draft.State.LastAdvance + timeout;
        if (draft.Now < due)
        {
            draft.WakeAt(due);
            return null;
        }

        long StepOf(PodState p) => p.Progress is { } progress && progress.Attempt == p.Target ? progress.Step : -1;
        var least = running.Min(StepOf);
        var behind = running.Where(p => StepOf(p) == least).ToList();
        var evidence = behind.Count < running.Count
            ? $"no step anywhere for {timeout.TotalSeconds:0.#} s; furthest behind, at step {least}: {string.Join(", ", behind.Take(5).Select(p => p.Worker))}"
            : $"no step anywhere for {timeout.TotalSeconds:0.#} s; all are at step {least}, so the steps do not tell who hangs";
        var failure = new Failure(FailureKind.Hang, evidence, draft.State.LastAdvance) { SeenBy = "progress" };
        return behind.Count == 1 ? failure with { Worker = behind[0].Worker, Pod = behind[0].Name, Node = behind[0].Node } : failure;
    }
}
