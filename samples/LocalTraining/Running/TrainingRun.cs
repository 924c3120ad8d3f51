using System.Globalization;
using System.Net;
using System.Net.Sockets;
using LocalTraining.View;
using TrainingSupervisor.Testing;

namespace LocalTraining.Running;

/// <summary>One training from the first Pod to the final weights.</summary>
internal sealed class TrainingRun(EmbeddedCluster cluster, Settings settings, string directory, string name, IReadOnlyList<string> text)
{
    private const string AgentImage = "local/gang-agent:1";

    /// <summary>Of a worker's own time for a step: so long that what else the machine does makes no straggler.</summary>
    private const int StepMilliseconds = 30;
    private static readonly TimeSpan TimeWithoutSupervisor = TimeSpan.FromMilliseconds(500);

    public RunState State { get; } = new($"gang {name}: {settings.Workers} workers and 1 spare", settings.Steps);

    public string LossFile => Path.Combine(directory, "loss.csv");

    public string WeightsFile => Path.Combine(directory, "final.bin");

    /// <summary>Returns what went wrong, or null.</summary>
    public async Task<string?> RunAsync(bool chaos, CancellationToken cancellationToken)
    {
        var faults = Directory.CreateDirectory(Path.Combine(directory, "faults")).FullName;
        cluster.AddImage(AgentImage, Places.AgentDirectory);
        var kubeconfig = Path.Combine(directory, "kubeconfig");
        cluster.WriteKubeConfig(kubeconfig);
        var request = Request(kubeconfig, faults);
        var schedule = chaos ? Fault.Schedule(settings.Steps, settings.Workers, settings.Seed, settings.CrashSupervisor) : [];
        if (chaos)
        {
            Console.WriteLine("Faults:");
            foreach (var fault in schedule) Console.WriteLine($"  step {fault.Step,4}: {fault.Words}");
        }

        var supervisor = Start(request);
        try
        {
            var breaking = new Chaos(cluster, State, LossFile, faults, schedule, async () =>
            {
                await supervisor.KillAsync();
                // Now, and not before: its last lines were still on their way.
                State.SupervisorGone();
                await supervisor.DisposeAsync();
                await Task.Delay(TimeWithoutSupervisor, cancellationToken);
                supervisor = Start(request);
            });
            breaking.Prepare();
            using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var faultsDone = breaking.RunAsync(stopping.Token);
            var finished = FinishedAsync(faultsDone, stopping.Token);
            try
            {
                await LiveView.ShowAsync(State, settings.Plain, finished);
            }
            finally
            {
                await stopping.CancelAsync();
                await faultsDone.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            return State.Error ?? (State.Result is not { Phase: "Succeeded" } ? $"the gang has ended: {State.Result?.Outcome}"
                : breaking.Struck < schedule.Count ? $"only {breaking.Struck} of {schedule.Count} faults have struck"
                : breaking.DrainCost > 0 ? $"the node that announced its termination has cost {breaking.DrainCost} steps"
                : null);
        }
        finally
        {
            await supervisor.DisposeAsync();
        }
    }

    private SuperviseRequest Request(string kubeconfig, string faults) => new()
    {
        Gang = name,
        Workers = settings.Workers,
        Spares = 1,
        KubeConfig = kubeconfig,
        GatewayPort = FreePort(),
        AgentImage = AgentImage,
        Command =
        [
            Places.Trainer, "--checkpoints", directory, "--faults", faults,
            "--steps", Text(settings.Steps), "--seed", Text(settings.Seed), "--checkpoint-every", "10", "--step-delay-ms", Text(StepMilliseconds),
            .. text.SelectMany(f => new[] { "--text", f }),
        ],
    };

    private SupervisorProcess Start(SuperviseRequest request) => settings.CrashSupervisor
        ? SupervisorProcess.StartOutside(request, Path.Combine(directory, "supervisor.log"), State.Take)
        : SupervisorProcess.StartInside(request, State.Take);

    /// <summary>Ends with the gang, with the supervisor, or with a fault that could not be made.</summary>
    private async Task FinishedAsync(Task faultsDone, CancellationToken cancellationToken)
    {
        while (State.Result is null && State.Error is null)
        {
            if (faultsDone.IsFaulted) await faultsDone;
            await Task.Delay(20, cancellationToken);
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>
    /// A port that both supervisors can use in turn. Not one of those that systems give to outgoing connections: it must still be free for the second.
    /// </summary>
    private static int FreePort()
    {
        while (true)
        {
            var port = Random.Shared.Next(20_000, 32_000);
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken.
            }
        }
    }
}
