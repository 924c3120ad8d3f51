using TrainingSupervisor.Agent.Native;
using TrainingSupervisor.Agent.Worker;

namespace TrainingSupervisor.Agent.Beside;

/// <summary>One run of a command beside the worker: in a session of its own, without input, its output kept and not shown.</summary>
internal static class SideProcess
{
    private static readonly TimeSpan DrainLimit = TimeSpan.FromMilliseconds(200);

    // What SIGKILL does not end within this is blocked in the kernel, and is not worth waiting for.
    private static readonly TimeSpan KillLimit = TimeSpan.FromSeconds(2);

    /// <summary>Runs it to its end, or kills it at the timeout or when the token says so.</summary>
    internal static async Task<SideResult> RunAsync(
        IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, TimeSpan timeout, Reaper reaper, TimeProvider time,
        CancellationToken cancellationToken)
    {
        if (Start(command, environment, reaper, time, out var problem) is not { } started)
            return new SideResult(-1, false, problem);
        var (pid, end, output) = started;
        await ((Task)end).WaitAsync(timeout, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var timedOut = !end.IsCompleted && !cancellationToken.IsCancellationRequested;
        var byItself = end.IsCompleted;
        if (!byItself)
            _ = Libc.Kill(-pid, Libc.SigKill);
        // Also what it has left running, in whichever group: it would hold the pipe, and nobody has asked for more than one run.
        ProcessTree.KillSession(pid);
        await ((Task)end).WaitAsync(KillLimit, time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAny(output.Drained, Task.Delay(DrainLimit, time, CancellationToken.None)).ConfigureAwait(false);
        var status = end.IsCompletedSuccessfully ? await end.ConfigureAwait(false) : Libc.SigKill;
        var code = WorkerProcess.CodeOf(status);
        return new SideResult(code, timedOut, output.Tail.ToString()) { KilledByOthers = byItself && code == 128 + Libc.SigKill };
    }

    private static unsafe (int Pid, Task<int> End, OutputPump Output)? Start(
        IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, Reaper reaper, TimeProvider time, out string problem)
    {
        var pipe = stackalloc int[2];
        if (Libc.Pipe2(pipe, Libc.OpenCloseOnExec) != 0)
        {
            problem = "no pipe for its output: too many open files?";
            return null;
        }

        int error = 0, pid = 0, write = pipe[1];
        var end = reaper.Spawn(() =>
        {
            error = Spawner.Spawn(command, environment, write, out pid, stdoutFd: write);
            return error == 0 ? pid : 0;
        });
        _ = Libc.Close(write);
        if (error != 0)
        {
            _ = Libc.Close(pipe[0]);
            problem = WorkerProcess.Explain(command[0], error, time).StderrTail;
            return null;
        }

        problem = "";
        return (pid, end, new OutputPump(pipe[0], OutputTail.CommandCapacity));
    }
}
