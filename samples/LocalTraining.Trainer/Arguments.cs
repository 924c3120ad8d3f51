using System.Globalization;
using System.Numerics;

namespace LocalTraining.Trainer;

/// <summary>The command line. A mistake in it is an <see cref="ArgumentException"/> whose message is for a person.</summary>
internal sealed record Arguments
{
    public List<string> Text { get; } = [];
    public string Checkpoints { get; private set; } = "";
    public string? Faults { get; private set; }
    public int Steps { get; private set; } = 100;
    public int Seed { get; private set; } = 1;
    public int CheckpointEvery { get; private set; } = 10;

    /// <summary>Milliseconds that each step takes longer, as the rank's own work: the model is tiny, and this stands for the accelerator's part.</summary>
    public int StepDelay { get; private set; }

    /// <summary>How long all wait after a checkpoint that was asked for: who asks is about to end them.</summary>
    public TimeSpan SavePause { get; private set; } = TimeSpan.FromSeconds(30);
    public int Batch { get; private set; } = 64;
    public int Hidden { get; private set; } = 48;
    public int Context { get; private set; } = 12;
    public float Rate { get; private set; } = 0.15f;

    public static Arguments Parse(IReadOnlyList<string> args)
    {
        var result = new Arguments();
        for (var i = 0; i < args.Count; i += 2)
        {
            var option = args[i];
            string Value() => i + 1 < args.Count ? args[i + 1] : throw new ArgumentException($"{option} needs a value");
            T Number<T>(T least, T most)
                where T : INumber<T> => T.TryParse(Value(), CultureInfo.InvariantCulture, out var n) && n >= least && n <= most
                ? n
                : throw new ArgumentException($"{option} must be a number from {least} to {most}, not '{Value()}'");
            switch (option)
            {
                case "--text": result.Text.Add(Value()); break;
                case "--checkpoints": result.Checkpoints = Value(); break;
                case "--faults": result.Faults = Value(); break;
                case "--steps": result.Steps = Number(1, int.MaxValue); break;
                case "--seed": result.Seed = Number(int.MinValue, int.MaxValue); break;
                case "--checkpoint-every": result.CheckpointEvery = Number(1, int.MaxValue); break;
                case "--step-delay-ms": result.StepDelay = Number(0, 60_000); break;
                case "--save-pause-ms": result.SavePause = TimeSpan.FromMilliseconds(Number(0, 3_600_000)); break;
                case "--batch": result.Batch = Number(1, 65_536); break;
                case "--hidden": result.Hidden = Number(1, 4096); break;
                case "--context": result.Context = Number(1, 256); break;
                case "--rate": result.Rate = Number(float.Epsilon, 1000f); break;
                default: throw new ArgumentException($"unknown option {option}");
            }
        }

        if (result.Text.Count == 0) throw new ArgumentException("--text FILE is needed at least once");
        if (result.Checkpoints.Length == 0) throw new ArgumentException("--checkpoints DIR is needed");
        return result;
    }
}
