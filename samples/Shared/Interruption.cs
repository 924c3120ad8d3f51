using System.Runtime.InteropServices;

namespace Samples.Shared;

/// <summary>Ctrl-C, a polite kill, or a closed terminal: the first cancels, those after it do not disturb the clean-up.</summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private int _signal;

    public Interruption()
    {
        foreach (var (signal, number) in new[] { (PosixSignal.SIGINT, 2), (PosixSignal.SIGTERM, 15), (PosixSignal.SIGHUP, 1) })
        {
            _registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                if (Interlocked.CompareExchange(ref _signal, number, 0) == 0) _source.Cancel();
            }));
        }
    }

    public CancellationToken Token => _source.Token;

    /// <summary>The exit code that a shell expects after the first signal that came: 130 for Ctrl-C; null if none came.</summary>
    public int? ExitCode => _signal == 0 ? null : 128 + _signal;

    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
        _source.Dispose();
    }
}
