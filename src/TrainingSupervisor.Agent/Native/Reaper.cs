using System.Runtime.InteropServices;

namespace TrainingSupervisor.Agent.Native;

/// <summary>Waits for every child of this process, inherited orphans included, and tells the end of the ones it was asked about.</summary>
#pragma warning disable CA1001 // Lives as long as the process does.
internal sealed class Reaper
#pragma warning restore CA1001
{
    private static readonly TimeSpan OrphanLook = TimeSpan.FromMilliseconds(500);
    private readonly Lock _gate = new();
    private readonly Dictionary<int, TaskCompletionSource<int>> _waiting = [];
    private readonly Dictionary<int, int> _unclaimed = [];
    private readonly SemaphoreSlim _started = new(0);
    private int _spawning;

    internal Reaper() => new Thread(Loop) { IsBackground = true, Name = "reaper" }.Start();

    /// <summary>Runs <paramref name="spawn"/> and returns the wait status of the child that it names, when that has ended.</summary>
    internal Task<int> Spawn(Func<int> spawn)
    {
        lock (_gate)
            _spawning++;
        try
        {
            var pid = spawn();
            lock (_gate)
            {
                if (_unclaimed.Remove(pid, out var status))
                    return Task.FromResult(status);
                var end = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
                if (pid > 0)
                    _waiting[pid] = end;
                return end.Task;
            }
        }
        finally
        {
            lock (_gate)
            {
                if (--_spawning == 0)
                    _unclaimed.Clear();
            }

            _started.Release();
        }
    }

    private void Loop()
    {
        while (true)
        {
            var pid = Libc.WaitPid(-1, out var status, 0);
            if (pid > 0)
            {
                TaskCompletionSource<int>? end;
                lock (_gate)
                {
                    // A child may be gone before its spawner has said who it is.
                    if (!_waiting.Remove(pid, out end) && _spawning > 0)
                        _unclaimed[pid] = status;
                }

                end?.SetResult(status);
            }
            else if (Marshal.GetLastPInvokeError() != Libc.Eintr)
            {
                // No children: sleep until there is one. As process 1 it may also inherit orphans of a shell that was opened from outside.
                _started.Wait(OrphanLook);
            }
        }
    }
}
