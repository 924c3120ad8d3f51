using LocalTraining.View;
using TrainingSupervisor;
using TrainingSupervisor.Testing;

namespace LocalTraining.Running;

/// <summary>The undisturbed run, the broken one, and the comparison of what they have learned.</summary>
internal static class MainJob
{
    private const string Undisturbed = "calm";
    private const string Disturbed = "llm";

    public static async Task<int> RunAsync(Settings settings, CancellationToken cancellationToken)
    {
        using var directory = new RunDirectory(settings.Keep);
        try
        {
            // A copy, so that both runs read the same even while someone edits the docs.
            var text = Places.CopyText(directory.Subdirectory("text"));
            var calm = await TrainAsync(Undisturbed, chaos: false, settings, directory, text, cancellationToken);
            if (calm is null) return ExitCodes.Failed;
            if (settings.UndisturbedOnly)
            {
                Console.WriteLine($"weights: {WeightsComparison.Hash(await File.ReadAllBytesAsync(calm, cancellationToken))}");
                return ExitCodes.WeightsIdentical;
            }

            var rough = await TrainAsync(Disturbed, settings.Chaos, settings, directory, text, cancellationToken);
            if (rough is null) return ExitCodes.Failed;
            if (settings.FlipBit) WeightsComparison.FlipBit(rough);
            return Say(WeightsComparison.Of(calm, rough), settings.Chaos);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("stopped; gang, agents and workers have ended");
            return ExitCodes.Failed;
        }
        catch (Exception e) when (e is SupervisorException or ChaosException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"error: {e.Message}");
            return ExitCodes.Failed;
        }
    }

    public static int Say(WeightsComparison comparison, bool chaos)
    {
        Console.WriteLine($"weights, undisturbed:          {comparison.First}");
        Console.WriteLine($"weights, {(chaos ? "broken and recovered" : "once more           ")}: {comparison.Second}");
        if (!comparison.Identical) Console.WriteLine($"{comparison.Different} of {comparison.Weights} weights differ");
        Console.WriteLine($"weights identical: {(comparison.Identical ? "yes" : "no")}");
        return comparison.Identical ? ExitCodes.WeightsIdentical : ExitCodes.Failed;
    }

    /// <summary>Returns the file with the final weights; null if there are none, after saying why.</summary>
    private static async Task<string?> TrainAsync(
        string name, bool chaos, Settings settings, RunDirectory directory, IReadOnlyList<string> text, CancellationToken cancellationToken)
    {
        Console.WriteLine($"{name}: {settings.Steps} steps on {settings.Workers} workers{(name == Undisturbed ? ", undisturbed" : "")}");
        // Two nodes more than Pods, for the two that go.
        var options = new EmbeddedClusterOptions
        {
            NodeCount = settings.Workers + 3,
            NodeLeaseDuration = TimeSpan.FromSeconds(4),
            DataDirectory = directory.Subdirectory($"{name}-cluster"),
        };
        await using var cluster = await EmbeddedCluster.StartAsync(options, cancellationToken);
        var run = new TrainingRun(cluster, settings, directory.Subdirectory(name), name, text);
        var problem = await run.RunAsync(chaos, cancellationToken);
        Summary.Print(run.State, LossLine.Read(run.LossFile));
        if (problem is not null)
        {
            await Console.Error.WriteLineAsync($"error: {problem}");
            return null;
        }

        if (chaos) Timeline.TrySave(run.State, run.LossFile, Path.Combine(Environment.CurrentDirectory, "local-training.png"));
        return run.WeightsFile;
    }
}
