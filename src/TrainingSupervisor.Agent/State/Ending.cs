namespace TrainingSupervisor.Agent.State;

/// <summary>What becomes of the agent once the worker's tree is gone.</summary>
internal abstract record Ending
{
    internal sealed record WaitFor(int Attempt) : Ending;

    internal sealed record RestartInPlace(int Attempt) : Ending;

    internal sealed record Halt(int Code) : Ending;

    internal sealed record Fenced(string Why) : Ending;
}
