using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TrainingSupervisor;
using TrainingSupervisor.EndToEnd;

// e2e-supervisor REQUEST: launches or takes over the gang, says how it goes on standard output, and ends with the gang or with standard input.
// e2e-supervisor cluster ...: an embedded cluster for other processes, until the end of standard input.
using var stopping = new CancellationTokenSource();
_ = Task.Run(async () =>
{
    while (await Console.In.ReadLineAsync() is not null)
    {
    }

    await stopping.CancelAsync();
});

if (args[0] == "cluster") return await SeparateCluster.RunAsync(args[1..], stopping.Token);

var request = GangRequest.FromJson(args[0]);
var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
builder.Logging.AddSimpleConsole().SetMinimumLevel(LogLevel.Information);
builder.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(o => o.LogToStandardErrorThreshold = LogLevel.Trace);
builder.Services.AddTrainingSupervisor(request.Configure);
using var host = builder.Build();
try
{
    await host.StartAsync(stopping.Token);
    var gang = await host.Services.GetRequiredService<ITrainingSupervisor>().LaunchAsync(request.Describe().Build(), stopping.Token);
    string? cause = null;
    using var failures = gang.Events.Subscribe(e => cause = (e as RecoveryPlanned)?.Plan.Cause?.ToString() ?? cause);
    SupervisorLine? said = null;
    while (true)
    {
        var over = gang.Completion.IsCompleted;
        var status = gang.Status;
        var workers = status.Workers.Where(w => w.Rank >= 0).ToList();
        var line = new SupervisorLine(
            status.Phase.ToString(), status.Attempt, workers.Count(w => w.State == "Running" && w.Attempt == status.Attempt),
            workers.Select(w => w.Step).DefaultIfEmpty(-1).Max(), cause, null, status.Outcome);
        if (line != said) Console.Out.WriteLine(said = line);
        if (over) break;
        await Task.Delay(20, stopping.Token);
    }
}
catch (SupervisorException e)
{
    Console.Out.WriteLine(new SupervisorLine("", 0, 0, -1, null, e.Message, null));
    return 1;
}
catch (OperationCanceledException)
{
    return 130;
}
finally
{
    await host.StopAsync(CancellationToken.None);
}

return 0;
