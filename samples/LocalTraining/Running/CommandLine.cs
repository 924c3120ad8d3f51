using System.CommandLine;
using Samples.Shared;

namespace LocalTraining.Running;

/// <summary>The options, and what is said when they are wrong.</summary>
internal static class CommandLine
{
    public static async Task<int> RunAsync(string[] args, Func<Settings, CancellationToken, Task<int>> run)
    {
        var workers = Options.Number("--workers", "How many workers train", 8, 2, 64);
        var steps = Options.Number("--steps", "How many steps they train", 360, 20, 100_000);
        var seed = Options.Number("--seed", "Seed of the model, the order of the data and the choice of victims", 1, int.MinValue, int.MaxValue);
        var calm = new Option<bool>("--no-chaos") { Description = "Break nothing; train twice and compare all the same" };
        var crash = new Option<bool>("--crash-supervisor")
        {
            Description = "Run the supervisor as a second process, and kill it in the middle of a recovery; 'false' leaves that out",
            DefaultValueFactory = _ => true,
        };
        var undisturbed = new Option<bool>("--undisturbed") { Description = "Only the undisturbed run, and the hash of its weights" };
        var keep = new Option<bool>("--keep") { Description = "Keep the directory with checkpoints, losses and final weights" };
        var plain = new Option<bool>("--plain") { Description = "Plain lines, also on a terminal" };
        var flip = new Option<bool>("--flip-bit") { Description = "Flip one bit of the final weights before they are compared: shows that the comparison can fail" };
        var root = new RootCommand(
            "A gang on one machine: real training on an embedded Kubernetes, broken on purpose, recovered, and compared with an undisturbed run.\n"
            + "Exit codes: 0 weights identical, 1 they differ or a run failed, 64 bad command line, 130 stopped by Ctrl-C.")
        {
            workers, steps, seed, calm, crash, undisturbed, keep, plain, flip,
        };
        root.SetAction((parsed, token) => run(
            new Settings
            {
                Workers = parsed.GetValue(workers),
                Steps = parsed.GetValue(steps),
                Seed = parsed.GetValue(seed),
                Chaos = !parsed.GetValue(calm),
                CrashSupervisor = parsed.GetValue(crash),
                UndisturbedOnly = parsed.GetValue(undisturbed),
                Keep = parsed.GetValue(keep),
                Plain = parsed.GetValue(plain),
                FlipBit = parsed.GetValue(flip),
            },
            token));
        var result = root.Parse(args);
        if (Options.SayMistakes(result)) return ExitCodes.BadInput;

        // Our own handling of signals instead of the parser's, which would cut a slow clean-up off.
        using var interruption = new Interruption();
        var code = await result.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null }, interruption.Token);
        return interruption.ExitCode ?? code;
    }
}
