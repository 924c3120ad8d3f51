using System.CommandLine;

namespace LocalTraining.Running;

/// <summary>What the command line asks for.</summary>
internal sealed record Settings
{
    public int Workers { get; init; } = 8;
    public int Steps { get; init; } = 360;
    public int Seed { get; init; } = 1;
    public bool Chaos { get; init; } = true;
    public bool CrashSupervisor { get; init; } = true;
    public bool UndisturbedOnly { get; init; }
    public bool Keep { get; init; }
    public bool Plain { get; init; }

    public static async Task<int> ParseAsync(string[] args, Func<Settings, CancellationToken, Task<int>> run)
    {
        var workers = new Option<int>("--workers") { Description = "How many workers train", DefaultValueFactory = _ => 8 };
        var steps = new Option<int>("--steps") { Description = "How many steps they train", DefaultValueFactory = _ => 360 };
        var seed = new Option<int>("--seed") { Description = "Seed of the model, the data order and the choice of victims", DefaultValueFactory = _ => 1 };
        var calm = new Option<bool>("--no-chaos") { Description = "Break nothing" };
        var crash = new Option<bool>("--crash-supervisor")
        {
            Description = "Run the supervisor as a second process, and kill it in the middle of a recovery",
            DefaultValueFactory = _ => true,
        };
        var undisturbed = new Option<bool>("--undisturbed") { Description = "Only the undisturbed run" };
        var keep = new Option<bool>("--keep") { Description = "Keep the directory with checkpoints and logs" };
        var plain = new Option<bool>("--plain") { Description = "Plain lines, also on a terminal" };
        workers.Validators.Add(r => Check(r, r.GetValueOrDefault<int>() is >= 2 and <= 64, "--workers must be 2 to 64"));
        steps.Validators.Add(r => Check(r, r.GetValueOrDefault<int>() is >= 20 and <= 100_000, "--steps must be 20 to 100000"));
        var root = new RootCommand("A gang on one machine: real training on an embedded Kubernetes, broken on purpose, recovered, and compared with an undisturbed run.")
        {
            workers, steps, seed, calm, crash, undisturbed, keep, plain,
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
            },
            token));
        return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(20) });

        static void Check(System.CommandLine.Parsing.OptionResult result, bool right, string message)
        {
            if (!right) result.AddError(message);
        }
    }
}
