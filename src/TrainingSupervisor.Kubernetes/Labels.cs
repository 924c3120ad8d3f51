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

    /// <summary>An annotation, on a Node or a Pod, by which a health system says that it is broken: <c>Kind: evidence</c>.</summary>
    public static ReadOnlySpan<byte> FailureUtf8 => "training-supervisor.dev/failure"u8;
}
