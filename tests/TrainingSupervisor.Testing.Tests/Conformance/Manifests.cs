using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>
/// Makes recorded manifests fit for a machine without container isolation, and quicker: whole seconds of sleep are
/// shortened, files outside the mounts move into the shared volume, and nothing really uses up the memory.
/// </summary>
internal static partial class Manifests
{
    /// <summary>By how much whole seconds of sleep, and the kubelet's back-off with them, are shortened.</summary>
    public const double Pace = 0.4;

    public static JsonObject Load(string name, double pace = Pace) => Adapt(Recording.Manifest(name), pace);

    private static JsonObject Adapt(JsonObject manifest, double pace)
    {
        var text = manifest.ToJsonString()
            .Replace("/tmp/", "/shared/tmp-", StringComparison.Ordinal)
            .Replace("/rootfs-marker", "/shared/rootfs-marker", StringComparison.Ordinal)
            .Replace("tail /dev/zero", "sleep 1000.0", StringComparison.Ordinal)
            .Replace("count=64", "count=11", StringComparison.Ordinal)
            .Replace("\"tolerationSeconds\":10", "\"tolerationSeconds\":1", StringComparison.Ordinal)
            .Replace("\"startupProbe\":{\"exec\":{\"command\":[\"true\"]},\"periodSeconds\":1", "\"startupProbe\":{\"exec\":{\"command\":[\"true\"]},\"periodSeconds\":2", StringComparison.Ordinal)
            .Replace("\"exec\":{\"command\":[\"true\"]},\"period", "\"exec\":{\"command\":[\"true\"]},\"timeoutSeconds\":20,\"period", StringComparison.Ordinal)
            .Replace("\"exec\":{\"command\":[\"cat\",\"/shared/tmp-ok\"]},", "\"exec\":{\"command\":[\"cat\",\"/shared/tmp-ok\"]},\"timeoutSeconds\":20,", StringComparison.Ordinal)
            .Replace("\"activeDeadlineSeconds\":5", "\"activeDeadlineSeconds\":2", StringComparison.Ordinal);
        text = WholeSeconds().Replace(text, m => string.Create(CultureInfo.InvariantCulture, $"sleep {int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture) * pace:0.##}"));
        return (JsonObject)JsonNode.Parse(text)!;
    }

    /// <summary>The containers that handle SIGTERM: a test must not send it before they are so far.</summary>
    public static IEnumerable<string> Trapping(JsonObject pod) =>
        (pod.At("spec").Items("containers") ?? []).Concat(pod.At("spec").Items("initContainers") ?? []).OfType<JsonObject>()
            .Where(c => c.Items("command")!.Any(w => w!.GetValue<string>().Contains("trap", StringComparison.Ordinal)))
            .Select(c => c.Text("name")!);

    [GeneratedRegex(@"sleep (\d+)(?![\d.])")]
    private static partial Regex WholeSeconds();
}
