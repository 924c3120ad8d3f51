using System.Runtime.InteropServices;

namespace LocalTraining.Trainer;

/// <summary>Whether this process has been asked to save, by SIGUSR1: the worker contract's quiesce.</summary>
internal sealed class SaveRequest : IDisposable
{
    private const int Sigusr1 = 10;
    private readonly ManualResetEventSlim _asked = new();
    private PosixSignalRegistration? _signal;

    public bool IsAsked => _asked.IsSet;

    /// <summary>From now on, and best from the first moment: the signal ends a process that does not handle it.</summary>
    public static SaveRequest Listen()
    {
        var request = new SaveRequest();
        if (OperatingSystem.IsWindows()) return request;
        request._signal = PosixSignalRegistration.Create((PosixSignal)Sigusr1, c =>
        {
            c.Cancel = true;
            request.Ask();
        });
        return request;
    }

    public void Ask() => _asked.Set();

    /// <summary>Waits until this process is asked; false if it is not in time.</summary>
    public bool Wait(TimeSpan limit) => _asked.Wait(limit);

    public void Clear() => _asked.Reset();

    public void Dispose()
    {
        _signal?.Dispose();
        _asked.Dispose();
    }
}
