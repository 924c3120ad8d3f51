using LocalTraining.Running;
using LocalTraining.View;
using TrainingSupervisor.Testing;

return args is ["supervise", var request]
    ? await SupervisorProcess.RunAsync(request)
    : await Settings.ParseAsync(args, RunAsync);

static async Task<int> RunAsync(Settings settings, CancellationToken cancellationToken)
{
    var directory = Directory.CreateTempSubdirectory("local-training-").FullName;
    try
    {
        var calm = settings.Chaos || settings.UndisturbedOnly ? await TrainAsync("calm", chaos: false, settings, directory, cancellationToken) : null;
        if (settings.UndisturbedOnly || (settings.Chaos && calm is null)) return calm is null ? 1 : 0;
        var rough = await TrainAsync("llm", settings.Chaos, settings, directory, cancellationToken);
        if (rough is null) return 1;
        if (!settings.Chaos) return 0;
        Console.WriteLine($"weights, undisturbed: {calm}");
        Console.WriteLine($"weights, broken and recovered: {rough}");
        Console.WriteLine($"weights identical: {(calm == rough ? "yes" : "no")}");
        return calm == rough ? 0 : 1;
    }
    catch (OperationCanceledException)
    {
        Console.Error.WriteLine("stopped");
        return 130;
    }
    finally
    {
        if (settings.Keep) Console.WriteLine($"kept: {directory}");
        else Directory.Delete(directory, recursive: true);
    }
}

static async Task<string?> TrainAsync(string name, bool chaos, Settings settings, string directory, CancellationToken cancellationToken)
{
    // One node more than Pods: it stays empty until a node dies.
    await using var cluster = await EmbeddedCluster.StartAsync(
        new EmbeddedClusterOptions { NodeCount = settings.Workers + 2, NodeLeaseDuration = TimeSpan.FromSeconds(4) }, cancellationToken);
    var own = Directory.CreateDirectory(Path.Combine(directory, name)).FullName;
    var run = new TrainingRun(cluster, settings, own, name);
    Console.WriteLine($"{name}: {settings.Steps} steps on {settings.Workers} workers{(chaos ? "" : ", undisturbed")}");
    var succeeded = await run.RunAsync(chaos, cancellationToken);
    if (!succeeded)
    {
        Console.Error.WriteLine($"error: {run.State.Error ?? run.State.Result?.Outcome}");
        return null;
    }

    Summary.Print(run.State);
    if (chaos)
    {
        var picture = Path.Combine(Environment.CurrentDirectory, "local-training.png");
        Timeline.Save(run.State, run.LossFile, picture);
        Console.WriteLine($"picture: {picture}");
    }

    return await run.WeightsAsync();
}
