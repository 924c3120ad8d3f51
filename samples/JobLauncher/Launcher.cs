using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrainingSupervisor;
using TrainingSupervisor.Testing;

namespace JobLauncher;

internal sealed record LaunchRequest(
    string Name, string Namespace, int Workers, int Spares, string Image, string AgentImage, string? KubeConfig, bool Embedded,
    string? Advertise, bool KeepOnExit, string[] Command);

/// <summary>What a launcher does with the library: describe, launch, watch, and turn the result into an exit code.</summary>
internal static class Launcher
{
    public const string EmbeddedAgentImage = "local/gang-agent:1";

    public static async Task<int> RunAsync(LaunchRequest request, CancellationToken cancellationToken)
    {
        GangSpec spec;
        try
        {
            spec = Describe(request);
        }
        catch (InvalidGangException e)
        {
            return Fail(ExitCodes.BadInput, e.Message);
        }

        try
        {
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
        catch (OperationCanceledException)
        {
            return Fail(ExitCodes.Stopped, "stopped");
        }
        catch (Microsoft.Extensions.Options.OptionsValidationException e)
        {
            return Fail(ExitCodes.BadInput, e.Message);
        }
        catch (SupervisorException e)
        {
            return Fail(ExitCodes.ClusterUnavailable, e.Message);
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
        // What stops the host is told once, in words, by RunAsync.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
        builder.Services.AddTrainingSupervisor(options =>
        {
            options.ClientConfiguration = cluster?.CreateClientConfiguration();
            options.KubeConfigPath = request.KubeConfig;
            options.Gateway.AdvertisedAddress = cluster is null ? request.Advertise : "127.0.0.1";
        });
        return builder.Build();
    }

    private static async Task<int> LaunchAsync(IHost host, GangSpec spec, bool keepOnExit, CancellationToken cancellationToken)
    {
        var gang = await host.Services.GetRequiredService<ITrainingSupervisor>().LaunchAsync(spec, cancellationToken);
        GangResult result;
        try
        {
            result = await gang.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested && !keepOnExit)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            await gang.StopAsync("the launcher was stopped", patience.Token);
            return Fail(ExitCodes.Stopped, $"gang {gang.Name} was stopped and deleted");
        }

        Console.WriteLine($"gang {gang.Name}: {result.Phase} after {result.Attempts} attempt{(result.Attempts == 1 ? "" : "s")}: {result.Outcome}");
        return result.Succeeded ? ExitCodes.Succeeded : ExitCodes.GangFailed;
    }

    private static int Fail(int code, string message)
    {
        Console.Error.WriteLine($"error: {message}");
        return code;
    }
}
