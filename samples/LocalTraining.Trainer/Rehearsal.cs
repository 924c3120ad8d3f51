using System.Globalization;

namespace LocalTraining.Trainer;

/// <summary>
/// Failures on order, each at an exact step: a file <c>KIND-RANK-STEP</c> in the faults directory makes that rank fail or hang once in that
/// step, or holds it there until the file is gone, so that something else can break it just then (<c>held-RANK-STEP</c> says that it is held), or
/// makes it slow from there on until the file is gone.
/// </summary>
internal sealed class Rehearsal(string? directory, int rank)
{
    private string? _slow;

    /// <summary>Before the step's work.</summary>
    public void Begin(int step)
    {
        if (directory is null) return;
        if (Taken("fail", step)) throw new InvalidDataException($"bad sample in shard {rank} at step {step}");
        if (!File.Exists(PathOf("hold", step))) return;
        File.WriteAllText(PathOf("held", step), "");
        while (File.Exists(PathOf("hold", step))) Thread.Sleep(5);
    }

    /// <summary>After the step's work, before it is reported.</summary>
    public void End(int step)
    {
        if (directory is not null && Taken("hang", step)) Thread.Sleep(Timeout.Infinite);
    }

    /// <summary>Whether the step's work is to take twice as long.</summary>
    public bool IsSlow(int step)
    {
        if (directory is null) return false;
        if (File.Exists(PathOf("slow", step))) _slow = PathOf("slow", step);
        return File.Exists(_slow);
    }

    private bool Taken(string kind, int step)
    {
        var path = PathOf(kind, step);
        if (!File.Exists(path)) return false;
        File.Delete(path);
        return true;
    }

    private string PathOf(string kind, int step) => Path.Combine(directory!, string.Create(CultureInfo.InvariantCulture, $"{kind}-{rank}-{step}"));
}
