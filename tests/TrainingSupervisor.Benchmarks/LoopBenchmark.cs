using System.Diagnostics;
using System.Globalization;
using TrainingSupervisor;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;
using TrainingSupervisor.Ports;

/// <summary>What a healthy gang costs its supervisor: the loop, while each worker reports once a second, spread over the second.</summary>
internal sealed class LoopBenchmark : IGangCluster, IGangAgents
{
    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(10);

    public static async Task RunAsync()
    {
        Console.WriteLine("one report of each worker a second; processor time of the whole process, of one core");
        foreach (var workers in new[] { 1_000, 10_000 })
        {
            var idle = await ShareAsync(workers, reports: false);
            var busy = await ShareAsync(workers, reports: true);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{workers,7} workers: {busy:P1}; without reports {idle:P1}"));
        }
    }

    private static async Task<double> ShareAsync(int workers, bool reports)
    {
        var state = MachineBenchmark.Running(workers);
        await using var world = new LoopBenchmark();
        await using var loop = new GangLoop(state, world, TimeProvider.System, _ => { });
        using var stop = new CancellationTokenSource();
        var running = loop.RunAsync(world, stop.Token);
        await PostAsync(loop, state, 0, TimeSpan.FromSeconds(3), reports);
        var (cpu, started) = (Cpu(), Stopwatch.GetTimestamp());
        await PostAsync(loop, state, 1000, Measured, reports);
        var share = (Cpu() - cpu) / Stopwatch.GetElapsedTime(started);
        await stop.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return share;
    }

    private static async Task PostAsync(GangLoop loop, GangState state, long step, TimeSpan time, bool reports)
    {
        var pods = state.Workers.Select(n => state.Pods[n]).ToArray();
        var (started, sent) = (Stopwatch.GetTimestamp(), 0L);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        while (Stopwatch.GetElapsedTime(started) < time)
        {
            await timer.WaitForNextTickAsync();
            var due = reports ? (long)(Stopwatch.GetElapsedTime(started).TotalSeconds * pods.Length) : 0;
            for (; sent < due; sent++)
            {
                var pod = pods[sent % pods.Length];
                loop.Post(new ProgressSeen(pod.Name, pod.Uid!, new ProgressObservation(state.Attempt, step + (sent / pods.Length), -1, "", "") { OwnSeconds = 1 }));
            }
        }
    }

    private static TimeSpan Cpu() => Process.GetCurrentProcess().TotalProcessorTime;

    public Task<GangBinding> BindAsync(GangSpec spec, string endpoint, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<bool> ExistsAsync(GangSpec spec, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task WatchAsync(GangSpec spec, Action<GangInput> sink, CancellationToken cancellationToken) => Task.Delay(Timeout.Infinite, cancellationToken);

    public Task SaveRecordAsync(GangSpec spec, GangRecord record, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task CreatePodAsync(GangSpec spec, PodRequest request, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task DeletePodAsync(GangSpec spec, string name, string uid, bool force, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task MarkNodeAsync(GangSpec spec, string node, bool quarantined, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task DeleteGangAsync(GangSpec spec, CancellationToken cancellationToken) => Task.CompletedTask;

    public void Restart(RestartWorker command)
    {
    }

    public void Release(ReleaseGang command)
    {
    }

    public void Tell(TellRoster command)
    {
    }

    public void Quiesce(QuiesceWorker command)
    {
    }

    public void Halt(HaltAgent command)
    {
    }

    public void Run(RunCommand command)
    {
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
