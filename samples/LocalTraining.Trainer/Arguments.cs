using System.Globalization;

namespace LocalTraining.Trainer;

/// <summary>The command line.</summary>
internal sealed record Arguments
{
    public List<string> Text { get; } = [];
    public string Checkpoints { get; private set; } = "";
    public string? Faults { get; private set; }
    public int Steps { get; private set; } = 100;
    public int Seed { get; private set; } = 1;
    public int CheckpointEvery { get; private set; } = 10;
    public int StepDelay { get; private set; }
    public int Batch { get; private set; } = 64;
    public int Hidden { get; private set; } = 48;
    public int Context { get; private set; } = 12;
    public float Rate { get; private set; } = 0.15f;

    public static Arguments Parse(string[] args)
    {
        var result = new Arguments();
        for (var i = 0; i < args.Length; i++)
        {
            string Value() => ++i < args.Length ? args[i] : throw new ArgumentException($"{args[i - 1]} needs a value");
            int Number() => int.Parse(Value(), CultureInfo.InvariantCulture);
            switch (args[i])
            {
                case "--text": result.Text.Add(Value()); break;
                case "--checkpoints": result.Checkpoints = Value(); break;
                case "--faults": result.Faults = Value(); break;
                case "--steps": result.Steps = Number(); break;
                case "--seed": result.Seed = Number(); break;
                case "--checkpoint-every": result.CheckpointEvery = Number(); break;
                case "--step-delay-ms": result.StepDelay = Number(); break;
                case "--batch": result.Batch = Number(); break;
                case "--hidden": result.Hidden = Number(); break;
                case "--context": result.Context = Number(); break;
                case "--rate": result.Rate = float.Parse(Value(), CultureInfo.InvariantCulture); break;
                default: throw new ArgumentException($"unknown option {args[i]}");
            }
        }

        if (result.Text.Count == 0) throw new ArgumentException("--text FILE is needed at least once");
        if (result.Checkpoints.Length == 0) throw new ArgumentException("--checkpoints DIR is needed");
        return result;
    }
}
