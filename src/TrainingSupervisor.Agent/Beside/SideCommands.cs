using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Beside;

/// <summary>
/// The commands that the supervisor has asked for by id: a few at once, each once. A result may be lost with a stream, so the last ones are
/// kept for when they are asked for again. Used on the agent's loop only.
/// </summary>
internal sealed class SideCommands(Func<RunCommand, Task<SideResult>> run, Action<CommandResult> answer, Func<bool> mayStart, Action<Action> post)
{
    internal const int MostAtOnce = 4, MostRemembered = 16, MostWaiting = 64;

    private readonly Queue<RunCommand> _waiting = new();
    private readonly HashSet<string> _pending = new(StringComparer.Ordinal);
    private readonly List<CommandResult> _done = [];
    private readonly List<Task> _runs = [];

    internal int Running { get; private set; }

    /// <summary>Runs it, or says again what came of it; false if too many wait already.</summary>
    internal bool Ask(RunCommand command)
    {
        if (_done.Find(r => r.Id == command.Id) is { } known)
        {
            answer(known);
            return true;
        }

        if (_pending.Contains(command.Id))
            return true;
        if (_waiting.Count >= MostWaiting)
            return false;
        _pending.Add(command.Id);
        _waiting.Enqueue(command);
        StartNext();
        return true;
    }

    /// <summary>Once the agent leaves and starts no more: when all that run have ended.</summary>
    internal Task EndedAsync() => Task.WhenAll(_runs);

    /// <summary>Starts what waits, as far as there is room.</summary>
    internal void StartNext()
    {
        while (Running < MostAtOnce && mayStart() && _waiting.TryDequeue(out var command))
        {
            Running++;
            _runs.RemoveAll(r => r.IsCompleted);
            _runs.Add(RunAsync(command));
        }
    }

    private async Task RunAsync(RunCommand command)
    {
        SideResult result;
        try
        {
            result = await run(command).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The edge of this command: who asked waits for an answer.
            result = new SideResult(-1, false, $"the agent cannot run it: {e.Message}");
        }

        post(() => Ended(new CommandResult { Id = command.Id, ExitCode = result.Code, TimedOut = result.TimedOut, Output = result.Output }));
    }

    private void Ended(CommandResult result)
    {
        Running--;
        _pending.Remove(result.Id);
        _done.Add(result);
        if (_done.Count > MostRemembered)
            _done.RemoveAt(0);
        answer(result);
        StartNext();
    }
}
