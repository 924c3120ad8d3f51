namespace LocalTraining.View;

/// <summary>Where an attempt went on, and what that cost, by what rank 0 wrote down of each step.</summary>
/// <param name="Attempt">The attempt.</param>
/// <param name="After">The last step that it did not have to train.</param>
/// <param name="Lost">How many steps it trains again that an attempt before it had finished.</param>
internal sealed record Resumption(int Attempt, int After, int Lost)
{
    public string LostText => Lost switch { 0 => "no step lost", 1 => "1 step lost", _ => $"{Lost} steps lost" };

    /// <summary>Of this attempt; null if it has done no step.</summary>
    public static Resumption? In(IReadOnlyList<LossLine> losses, int attempt)
    {
        var first = losses.Where(l => l.Attempt == attempt).Select(l => l.Step).DefaultIfEmpty(0).Min();
        if (first == 0) return null;
        var done = losses.Where(l => l.Attempt < attempt).Select(l => l.Step).DefaultIfEmpty(0).Max();
        return new Resumption(attempt, first - 1, Math.Max(0, done - first + 1));
    }

    /// <summary>Of the first attempt after this one that has done a step; null if none has.</summary>
    public static Resumption? Next(IReadOnlyList<LossLine> losses, int attempt) =>
        losses.Where(l => l.Attempt > attempt).Select(l => l.Attempt).DefaultIfEmpty(0).Min() is > 0 and var next ? In(losses, next) : null;
}
