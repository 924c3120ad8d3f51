namespace TrainingSupervisor;

/// <summary>How hangs are told from long steps by what the steps teach. Made by <see cref="GangBuilder.WithHangDetection"/>.</summary>
public sealed record HangDetection
{
    internal HangDetection()
    {
    }

    /// <summary>How many times the 99th percentile of the step times a silence must last to be a hang. Default 3.</summary>
    public double Factor { get; init; } = 3;

    /// <summary>No silence shorter than this is a hang. Default 15 seconds.</summary>
    public TimeSpan AtLeast { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The limit for what nothing is known of yet. Default 30 minutes.</summary>
    public TimeSpan Unlearned { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How many steps at the beginning of an attempt count as its start. Default 3.</summary>
    public int WarmUpSteps { get; init; } = 3;
}
