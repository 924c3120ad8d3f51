namespace TrainingSupervisor.Kubernetes;

internal static class Names
{
    /// <summary>The gang's ConfigMap, Secret and Lease.</summary>
    public static string Record(GangSpec spec) => "gang-" + spec.Name;
}
