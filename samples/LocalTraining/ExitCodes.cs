namespace LocalTraining;

/// <summary>What the sample's exit code says.</summary>
internal static class ExitCodes
{
    public const int WeightsIdentical = 0;

    /// <summary>The weights differ, a training failed, or a fault of the schedule did not strike.</summary>
    public const int Failed = 1;

    /// <summary>The command line is wrong.</summary>
    public const int BadInput = 64;
}
