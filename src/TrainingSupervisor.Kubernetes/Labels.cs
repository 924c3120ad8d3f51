namespace TrainingSupervisor.Kubernetes;

internal static class Labels
{
    public const string Prefix = "training-supervisor.dev/";
    public const string Gang = Prefix + "gang";
    public const string Role = Prefix + "role";

    /// <summary>Absent on a spare.</summary>
    public const string Worker = Prefix + "worker";
    public const string Incarnation = Prefix + "incarnation";
    public const string Spare = Prefix + "spare";
}
