using System.Text.Json;

namespace TrainingSupervisor.Kubernetes;

/// <summary>A node's Lease. The time is compared with the one before, and never with our clock: the node's may be wrong.</summary>
internal sealed record LeaseObservation(string Name, DateTimeOffset RenewTime, TimeSpan Duration)
{
    // The kubelet's own default.
    private const int DefaultSeconds = 40;

    public static LeaseObservation Read(JsonElement lease, string name)
    {
        var spec = Json.Get(lease, "spec"u8);
        var seconds = Json.Number(spec, "leaseDurationSeconds"u8);
        return new LeaseObservation(name, Json.Time(spec, "renewTime"u8), TimeSpan.FromSeconds(seconds > 0 ? seconds : DefaultSeconds));
    }
}
