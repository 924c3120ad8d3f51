using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using NSubstitute;

namespace TrainingSupervisor.Tests;

public sealed class HostingTests
{
    [Fact]
    public async Task StartAsync_SixWrongOptions_NamesAllSix()
    {
        using var host = Host(o =>
        {
            o.KubeConfigPath = "/no/such/kubeconfig";
            o.Kubernetes.LeaseDuration = TimeSpan.Zero;
            o.Kubernetes.RequestTimeout = TimeSpan.Zero;
            o.Kubernetes.MaxConcurrentRequests = 0;
            o.Gateway.Port = 70000;
            o.Gateway.AdvertisedAddress = "http://example.invalid";
        });
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());

        Assert.Equal(6, error.Failures.Count());
        foreach (var name in new[] { "/no/such/kubeconfig", "LeaseDuration", "RequestTimeout", "MaxConcurrentRequests", "70000", "https://host:port" })
        {
            Assert.Contains(error.Failures, f => f.Contains(name, StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("10.0.0.7")]
    [InlineData("supervisor.ml.svc:8443")]
    [InlineData("https://supervisor.example:443")]
    [InlineData("fd00::7")]
    [InlineData("[fd00::7]:8443")]
    public void Validate_AdvertisedAddress_IsTaken(string address) =>
        Assert.True(new OptionsValidator().Validate(null, new TrainingSupervisorOptions { Gateway = { AdvertisedAddress = address } }).Succeeded);

    [Fact]
    public async Task CheckHealthAsync_NoGangs_IsHealthy()
    {
        using var host = Host(o => o.Gateway.ListenAddress = System.Net.IPAddress.Loopback);
        await host.StartAsync();
        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        await host.StopAsync();

        Assert.Equal((HealthStatus.Healthy, "0 gangs"), (report.Entries["training-supervisor"].Status, report.Entries["training-supervisor"].Description));
    }

    [Fact]
    public async Task CheckHealthAsync_GangsOfOneNameInTwoNamespaces_NamesBoth()
    {
        var supervisor = Substitute.For<ITrainingSupervisor>();
        supervisor.Gangs.Returns([Handle("blue"), Handle("green")]);

        var result = await new SupervisorHealthCheck(supervisor).CheckHealthAsync(new HealthCheckContext());

        Assert.Equal((HealthStatus.Degraded, "Another process leads: blue/llm, green/llm"), (result.Status, result.Description));
        Assert.Equal(["blue/llm", "green/llm"], result.Data.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task AddTrainingSupervisor_Twice_IsOneSupervisor()
    {
        var services = new ServiceCollection().AddLogging();
        services.AddTrainingSupervisor().AddTrainingSupervisor();
        await using var provider = services.BuildServiceProvider();

        Assert.Single(provider.GetServices<ITrainingSupervisor>());
        Assert.Single(provider.GetServices<IHostedService>(), s => s is ITrainingSupervisor);
        Assert.Single(provider.GetRequiredService<IOptions<HealthCheckServiceOptions>>().Value.Registrations, r => r.Name == "training-supervisor");
    }

    private static GangHandle Handle(string ns)
    {
        var gang = Gang.Create("llm").WithNamespace(ns).AddRole("trainer", r => r.WithCount(2).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent")).Build();
        return new GangRunner(gang, null!, null!, new UserDetectors([]), TimeProvider.System, NullLogger.Instance).Handle;
    }

    private static IHost Host(Action<TrainingSupervisorOptions> configure)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddTrainingSupervisor(configure);
        return builder.Build();
    }
}
