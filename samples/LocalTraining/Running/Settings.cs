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
    public bool FlipBit { get; init; }
}
