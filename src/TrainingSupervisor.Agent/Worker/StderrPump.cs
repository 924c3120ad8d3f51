using System.Runtime.InteropServices;
using TrainingSupervisor.Agent.Native;

namespace TrainingSupervisor.Agent.Worker;

/// <summary>Passes a pipe on to our own stderr and keeps its tail, on a thread of its own: the worker's end is never waited for through it.</summary>
internal sealed class StderrPump
{
    private readonly int _fd;
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal StderrPump(int fd)
    {
        _fd = fd;
        new Thread(Loop) { IsBackground = true, Name = "stderr" }.Start();
    }

    internal StderrTail Tail { get; } = new();

    internal Task Drained => _drained.Task;

    private unsafe void Loop()
    {
        var buffer = stackalloc byte[8192];
        while (true)
        {
            var count = Libc.Read(_fd, buffer, 8192);
            if (count < 0 && Marshal.GetLastPInvokeError() == Libc.Eintr)
                continue;
            if (count <= 0)
                break;
            var bytes = new ReadOnlySpan<byte>(buffer, (int)count);
            Tail.Append(bytes);
            Log.WriteAll(2, bytes);
        }

        _ = Libc.Close(_fd);
        _drained.SetResult();
    }
}
