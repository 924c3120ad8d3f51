namespace JobLauncher;

/// <summary>What the command line asks for.</summary>
internal sealed record LaunchRequest(
    string Name, string Namespace, int Workers, int Spares, string Image, string AgentImage, string? KubeConfig, bool Embedded,
    string? Advertise, bool KeepOnExit, string[] Command);
