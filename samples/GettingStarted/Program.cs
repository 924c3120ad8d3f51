using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TrainingSupervisor;
using TrainingSupervisor.Testing;

// A Kubernetes with three nodes in this process, and the agent as an image in it.
await using var cluster = await EmbeddedCluster.StartAsync(new EmbeddedClusterOptions { NodeCount = 3 });
cluster.AddImage("local/gang-agent:1", Path.GetFullPath(args[0]));

var builder = Host.CreateApplicationBuilder();
builder.Services.AddTrainingSupervisor(options =>
{
    options.ClientConfiguration = cluster.CreateClientConfiguration();
    options.Gateway.AdvertisedAddress = "127.0.0.1";
});
using var host = builder.Build();
await host.StartAsync();

// Three workers; rank 1 fails once.
var supervisor = host.Services.GetRequiredService<ITrainingSupervisor>();
var gang = await supervisor.LaunchAsync(Gang.Create("hello")
    .AddRole("trainer", role => role
        .WithCount(3)
        .WithImage("local/trainer:1")
        .WithCommand("sh", "-c", "if [ $GANG_ATTEMPT$RANK = 11 ]; then echo no luck >&2; exit 3; fi; sleep 2")
        .WithOnePerNode()
        .WithAgentFromImageVolume("local/gang-agent:1"))
    .WithPolicy(policy => policy
        .OnExitCode([64], RecoveryStrategy.FailGang)
        .WithBudget(5, TimeSpan.FromHours(1)))
    .Build());

using var failures = gang.Failures.Subscribe(failure => Console.WriteLine($"failure: {failure}"));
var result = await gang.WaitAsync();
Console.WriteLine($"{result.Phase} after {result.Attempts} attempts: {result.Outcome}");
await host.StopAsync();
return result.Succeeded ? 0 : 1;
