using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TrainingSupervisor;
using TrainingSupervisor.Testing;

namespace JobLauncher;

/// <summary>What a launcher does with the library: describe, launch, watch, and turn the result into an exit code.</summary>
internal static class Launcher
{
    public const string EmbeddedAgentImage = "local/gang-agent:1";
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(60);

    public static async Task<int> RunAsync(LaunchRequest request, CancellationToken cancellationToken)
    {
        var end = await EndOfAsync(request, cancellationToken);
        // Said when all else is over, so that it is the last line.
        if (end.Code == ExitCodes.Succeeded) Console.WriteLine(end.Message);
        else await Console.Error.WriteLineAsync($"error: {end.Message}");
        return end.Code;
    }

    private static async Task<End> EndOfAsync(LaunchRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var spec = Describe(request);
            if (request is { Embedded: false, KubeConfig: { } file } && !File.Exists(file))
            {
                return new End(ExitCodes.BadInput, $"--kubeconfig {file}: there is no such file");
            }

            await using var cluster = request.Embedded ? await StartClusterAsync(request, cancellationToken) : null;
            using var host = BuildHost(request, cluster);
            await host.StartAsync(cancellationToken);
            try
            {
                return await LaunchAsync(host, spec, request.KeepOnExit, cancellationToken);
            }
            finally
            {
                await host.StopAsync(CancellationToken.None);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return new End(ExitCodes.Stopped, request.KeepOnExit ? "stopped; a gang that was launched trains on" : "stopped before the gang was launched");
        }
        catch (Exception e) when (e is InvalidGangException or OptionsValidationException)
        {
            return new End(ExitCodes.BadInput, e.Message);
        }
        catch (SupervisorException e)
        {
            return new End(ExitCodes.ClusterUnavailable, e.Message);
        }
        catch (Exception e)
        {
            // The edge of the program: a user has no use for a stack trace, and a script needs a code that it can tell from the others.
            return new End(ExitCodes.Internal, $"{e.GetType().Name}: {e.Message}");
        }
    }

    private static GangSpec Describe(LaunchRequest request) => Gang.Create(request.Name)
        .WithNamespace(request.Namespace)
        .AddRole("worker", role => role
            .WithCount(request.Workers)
            .WithSpares(request.Spares)
            .WithImage(request.Image)
            .WithCommand(request.Command)
            .WithAgentFromImageVolume(request.AgentImage))
        .Build();

    private static async Task<EmbeddedCluster> StartClusterAsync(LaunchRequest request, CancellationToken cancellationToken)
    {
        var cluster = await EmbeddedCluster.StartAsync(
            new EmbeddedClusterOptions { NodeCount = Math.Max(1, request.Workers + request.Spares) }, cancellationToken);
        cluster.AddImage(EmbeddedAgentImage, AgentBinary.Directory);
        return cluster;
    }

    private static IHost BuildHost(LaunchRequest request, EmbeddedCluster? cluster)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.AddSimpleConsole(o =>
        {
            o.SingleLine = true;
            o.TimestampFormat = "HH:mm:ss.fff ";
        });
        // What stops the host is told once, in words, by RunAsync; the host's own news are no news here.
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
        builder.Services.AddTrainingSupervisor(options =>
        {
            options.ClientConfiguration = cluster?.CreateClientConfiguration();
            options.KubeConfigPath = request.KubeConfig;
            options.Gateway.AdvertisedAddress = cluster is null ? request.Advertise : "127.0.0.1";
        });
        return builder.Build();
    }

    private static async Task<End> LaunchAsync(IHost host, GangSpec spec, bool keepOnExit, CancellationToken cancellationToken)
    {
        var gang = await host.Services.GetRequiredService<ITrainingSupervisor>().LaunchAsync(spec, cancellationToken);
        try
        {
            var result = await gang.WaitAsync(cancellationToken);
            return new End(
                result.Succeeded ? ExitCodes.Succeeded : ExitCodes.GangFailed,
                $"gang {gang.Name}: {result.Phase} after {result.Attempts} attempt{(result.Attempts == 1 ? "" : "s")}: {result.Outcome}");
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested && !keepOnExit)
        {
            return await StopAsync(gang);
        }
    }

    private static async Task<End> StopAsync(GangHandle gang)
    {
        using var limit = new CancellationTokenSource(StopLimit);
        try
        {
            await gang.StopAsync("the launcher was stopped", limit.Token);
            return new End(ExitCodes.Stopped, $"gang {gang.Name} was stopped and deleted");
        }
        catch (OperationCanceledException)
        {
            return new End(ExitCodes.Stopped,
                $"gang {gang.Name} was told to stop, but is not gone after {StopLimit.TotalSeconds:0} s; 'kubectl delete configmap gang-{gang.Name}' deletes what is left");
        }
    }

    private sealed record End(int Code, string Message);
}
