using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace TrainingSupervisor.Testing.Runtime;

/// <summary>
/// A child started by posix_spawn, which leads a session and a process group. All children share one handler of SIGCHLD:
/// no thread waits for any of them. .NET leaves alone the children that its Process class did not start.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class SpawnedProcess : IChildProcess
{
    private static readonly Lock s_gate = new();
    private static readonly Dictionary<int, SpawnedProcess> s_living = [];
    private static PosixSignalRegistration? s_registration;
    private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _ended;

    private SpawnedProcess(int id) => Id = id;

    public int Id { get; }

    public Task<int> Exited => _exited.Task;

    /// <exception cref="ContainerStartException">The program cannot be executed.</exception>
    public static SpawnedProcess Start(IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, string output)
    {
        lock (s_gate)
        {
            s_registration ??= PosixSignalRegistration.Create(PosixSignal.SIGCHLD, static _ => ReapAll());
            var error = LibcSpawn.Start(command, environment, output, out var pid);
            if (error != 0)
            {
                throw new ContainerStartException($"cannot execute {command[0]}: {new Win32Exception(error).Message}");
            }

            // The signal of a child that ended at once waits for the lock.
            return s_living[pid] = new(pid);
        }
    }

    public void Signal(int signal)
    {
        lock (s_gate)
        {
            if (!_ended)
            {
                _ = Libc.Kill(Id, signal);
            }
        }
    }

    private static void ReapAll()
    {
        lock (s_gate)
        {
            foreach (var child in s_living.Values.Where(static c => Libc.HasEnded(c.Id)).ToArray())
            {
                // Until it is reaped its number is its group's alone, so this hits nobody else.
                _ = Libc.Kill(-child.Id, Libc.SigKill);
                child._ended = true;
                s_living.Remove(child.Id);
                child._exited.SetResult(Libc.Reap(child.Id));
            }
        }
    }
}
