using System.Globalization;
using System.Net;
using System.Net.Sockets;
using LocalTraining.View;
using TrainingSupervisor.Testing;

namespace LocalTraining.Running;

/// <summary>One training from the first Pod to the final weights.</summary>
internal sealed class TrainingRun(EmbeddedCluster cluster, Settings settings, string directory, string name)
{
    private const string AgentImage = "local/gang-agent:1";

    public RunState State { get; } = new($"gang {name}: {settings.Workers} workers and 1 spare", settings.Steps);

    public string LossFile => Path.Combine(directory, "loss.csv");

    public async Task<bool> RunAsync(bool chaos, CancellationToken cancellationToken)
    {
        var faults = Directory.CreateDirectory(Path.Combine(directory, "faults")).FullName;
        cluster.AddImage(AgentImage, Places.AgentDirectory);
        var kubeconfig = Path.Combine(directory, "kubeconfig");
        cluster.WriteKubeConfig(kubeconfig);
        var request = new SuperviseRequest
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
                "--steps", Text(settings.Steps), "--seed", Text(settings.Seed), "--checkpoint-every", "10", "--step-delay-ms", chaos ? "20" : "0",
                .. Places.Text().SelectMany(f => new[] { "--text", f }),
            ],
        };

        var supervisor = Start(request);
        try
        {
            var breaking = new Chaos(cluster, State, faults, settings, async () =>
            {
                await supervisor.KillAsync();
                await Task.Delay(500, cancellationToken);
                supervisor = Start(request);
            });
            if (chaos)
            {
                breaking.Plan();
                Console.WriteLine("Faults:");
                foreach (var line in breaking.Lines()) Console.WriteLine(line);
            }

            using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var finished = FinishedAsync(stopping.Token);
            var faultsDone = chaos ? breaking.RunAsync(stopping.Token) : Task.CompletedTask;
            await LiveView.ShowAsync(State, settings.Plain, finished);
            await stopping.CancelAsync();
            await faultsDone.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return State.Result is { Phase: "Succeeded" };
        }
        finally
        {
            await supervisor.DisposeAsync();
        }
    }

    public async Task<string?> WeightsAsync()
    {
        var path = Path.Combine(directory, "final.sha256");
        return File.Exists(path) ? (await File.ReadAllTextAsync(path)).Trim() : null;
    }

    private SupervisorProcess Start(SuperviseRequest request) =>
        settings.CrashSupervisor ? SupervisorProcess.StartOutside(request, State.Take) : SupervisorProcess.StartInside(request, State.Take);

    private async Task FinishedAsync(CancellationToken cancellationToken)
    {
        while (State.Result is null && State.Error is null) await Task.Delay(20, cancellationToken);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
