using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>The downward API: fields of a Pod as text.</summary>
internal static class FieldReference
{
    public static string Read(JsonObject pod, string path, string podIp, string hostIp)
    {
        foreach (var map in (ReadOnlySpan<string>)["labels", "annotations"])
        {
            var prefix = $"metadata.{map}";
            if (path == prefix)
            {
                return string.Join("\n", pod.At("metadata").At(map)?.OrderBy(p => p.Key, StringComparer.Ordinal)
                    .Select(p => $"{p.Key}=\"{p.Value}\"") ?? []);
            }

            if (path.StartsWith(prefix + "['", StringComparison.Ordinal) && path.EndsWith("']", StringComparison.Ordinal))
            {
                return pod.At("metadata").At(map).Text(path[(prefix.Length + 2)..^2]) ?? "";
            }
        }

        return path switch
        {
            "metadata.name" => pod.Name(),
            "metadata.namespace" => pod.Namespace() ?? "default",
            "metadata.uid" => pod.Uid() ?? "",
            "spec.nodeName" => pod.At("spec").Text("nodeName") ?? "",
            "spec.serviceAccountName" => pod.At("spec").Text("serviceAccountName") ?? "default",
            "status.podIP" or "status.podIPs" => podIp,
            "status.hostIP" or "status.hostIPs" => hostIp,
            _ => throw new NotSupportedException($"fieldPath \"{path}\" is not supported"),
        };
    }
}
