using TrainingSupervisor.Agent.Native;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Worker;

/// <summary>One run of the worker's command, from its start until nothing of it is left.</summary>
internal sealed class WorkerProcess
{
    // Whoever still holds the pipe after the whole tree is gone is none of ours; the tail is not worth more waiting.
    private static readonly TimeSpan DrainLimit = TimeSpan.FromMilliseconds(200);

    private readonly int _pid;
    private readonly Task<int> _status;
    private readonly OutputPump _stderr;
    private readonly long _startedMs;
    private readonly TimeProvider _time;

    private WorkerProcess(int pid, Task<int> status, OutputPump stderr, OomWatch oomKills, TimeProvider time)
    {
        (_pid, _status, _stderr, OomKills, _time) = (pid, status, stderr, oomKills, time);
        _startedMs = time.GetUtcNow().ToUnixTimeMilliseconds();
    }

    /// <summary>Starts the command; null, and why, if it cannot be.</summary>
    internal static unsafe WorkerProcess? Start(
        IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, Reaper reaper, TimeProvider time, Action<ReadOnlySpan<byte>> onStderr,
        out WorkerExit? problem)
    {
        var pipe = stackalloc int[2];
        if (Libc.Pipe2(pipe, Libc.OpenCloseOnExec) != 0)
        {
            problem = NotStarted(126, "no pipe for the worker's stderr: too many open files?", time);
            return null;
        }

        int error = 0, pid = 0;
        var oom = new OomWatch(OomCounter.Read, time);
        var stderr = pipe[1];
        var status = reaper.Spawn(() =>
        {
            error = Spawner.Spawn(command, environment, stderr, out pid);
            return error == 0 ? pid : 0;
        });
        _ = Libc.Close(stderr);
        if (error != 0)
        {
            _ = Libc.Close(pipe[0]);
            problem = Explain(command[0], error, time);
            return null;
        }

        problem = null;
        return new WorkerProcess(pid, status, new OutputPump(pipe[0], OutputTail.WorkerCapacity, onStderr), oom, time);
    }

    internal int Id => _pid;

    internal OomWatch OomKills { get; }

    /// <summary>The process itself has ended, though its tree may still be being ended.</summary>
    internal bool HasEnded => _status.IsCompleted;

    internal void Signal(int signal)
    {
        if (!_status.IsCompleted)
            _ = Libc.Kill(_pid, signal);
    }

    /// <summary>Asks the worker's whole group to end.</summary>
    internal void TerminateGroup()
    {
        if (!_status.IsCompleted)
            _ = Libc.Kill(-_pid, Libc.SigTerm);
    }

    internal void KillGroup()
    {
        if (!_status.IsCompleted)
            _ = Libc.Kill(-_pid, Libc.SigKill);
    }

    /// <summary>Waits for the worker's end, ends what it has left behind, and returns when nothing of it remains.</summary>
    internal async Task<WorkerExit> WaitAsync()
    {
        var status = await _status.ConfigureAwait(false);
        var ended = _time.GetUtcNow().ToUnixTimeMilliseconds();
        var signal = status & 0x7f;
        // Before its tree is ended: the kernel counts a process that it kills before that dies.
        var (outOfMemory, killBefore) = OomKills.Ended(bySigKill: signal == Libc.SigKill);
        await ProcessTree.KillAllAsync(_time).ConfigureAwait(false);
        await Task.WhenAny(_stderr.Drained, Task.Delay(DrainLimit, _time)).ConfigureAwait(false);
        return new WorkerExit
        {
            Code = CodeOf(status),
            Signal = signal,
            StderrTail = _stderr.Tail.ToString(),
            StartedUnixMs = _startedMs,
            EndedUnixMs = ended,
            OutOfMemory = outOfMemory,
            OomKillBeforeMs = (long)(killBefore?.TotalMilliseconds ?? 0),
        };
    }

    /// <summary>What a shell would say: the exit code, or 128 + signal.</summary>
    internal static int CodeOf(int status) => (status & 0x7f) is var signal and not 0 ? 128 + signal : (status >> 8) & 0xff;

    internal static WorkerExit Explain(string file, int error, TimeProvider time) => error switch
    {
        Libc.Enoent or Libc.Enotdir => NotStarted(127, $"command not found: {file}", time),
        Libc.Eacces => NotStarted(126, $"permission denied: {file} is not executable", time),
        Libc.Enoexec => NotStarted(126, $"not a program for this machine: {file} (wrong architecture, or a script without #!)", time),
        _ => NotStarted(126, $"cannot start {file}: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(error)}", time),
    };

    internal static WorkerExit NotStarted(int code, string why, TimeProvider time)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        return new WorkerExit { Code = code, NotStarted = true, StderrTail = why, StartedUnixMs = now, EndedUnixMs = now };
    }
}
