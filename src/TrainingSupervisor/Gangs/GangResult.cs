namespace TrainingSupervisor;

/// <summary>How a gang ended. A failure is a result, not an exception.</summary>
/// <param name="Phase">Succeeded, Failed or Stopped.</param>
/// <param name="Outcome">Why: for a failure, the first thing that broke.</param>
/// <param name="Attempts">How many attempts there were.</param>
public sealed record GangResult(GangPhase Phase, string Outcome, int Attempts)
{
    /// <summary>Whether every worker ended with exit code 0.</summary>
    public bool Succeeded => Phase == GangPhase.Succeeded;
}
