using System.Runtime.InteropServices;
using TrainingSupervisor.Agent.Native;

namespace TrainingSupervisor.Agent.Worker;

/// <summary>
/// Reads a pipe to its end on a thread of its own, keeps the tail, and passes on what was read: nobody who waits for the end of a process
/// waits for whoever else holds its pipe.
/// </summary>
internal sealed class OutputPump
{
    private readonly int _fd;
    private readonly Action<ReadOnlySpan<byte>>? _passOn;
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal OutputPump(int fd, int capacity, Action<ReadOnlySpan<byte>>? passOn = null)
    {
        (_fd, _passOn, Tail) = (fd, passOn, new OutputTail(capacity));
        new Thread(Loop) { IsBackground = true, Name = "output" }.Start();
    }

    internal OutputTail Tail { get; }

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
            _passOn?.Invoke(bytes);
        }

        _ = Libc.Close(_fd);
        _drained.SetResult();
    }
}
