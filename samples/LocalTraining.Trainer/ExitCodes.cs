namespace LocalTraining.Trainer;

/// <summary>What the trainer's exit code says.</summary>
internal static class ExitCodes
{
    public const int Done = 0;

    /// <summary>Something is wrong here: the data, the disk, a checkpoint.</summary>
    public const int Failed = 1;

    /// <summary>Another rank is gone; look there for the cause.</summary>
    public const int PeerLost = 13;

    /// <summary>The command line or the environment makes no sense.</summary>
    public const int BadInput = 64;
}
