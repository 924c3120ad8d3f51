using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>The shape of a body: the paths of all its fields. Keys of maps that users fill are values, not fields.</summary>
internal static class Fields
{
    // Who wrote which field is not kept here; and not all of the recorded servers ran the admission plugin for service accounts.
    private static readonly string[] s_ignored = [
        "metadata.managedFields", "spec.serviceAccount", "spec.serviceAccountName",
        "status.resources", "status.containerStatuses[].resources", "status.containerStatuses[].user", "status.containerStatuses[].volumeMounts",
    ];
    private static readonly string[] s_maps = ["metadata.labels", "metadata.annotations", "data", "nodeSelector", "limits", "requests"];

    public static IReadOnlySet<string> Of(JsonObject body)
    {
        var result = new SortedSet<string>(StringComparer.Ordinal);
        var copy = (JsonObject)body.DeepClone();
        WithoutToken(copy);
        foreach (var item in copy.Items("items")?.OfType<JsonObject>() ?? [])
        {
            WithoutToken(item);
        }

        Collect(copy, "", result);
        return result;
    }

    private static void Collect(JsonNode? node, string path, SortedSet<string> result)
    {
        if (s_maps.Any(m => path == m || path.EndsWith("." + m, StringComparison.Ordinal)))
        {
            return;
        }

        foreach (var item in node as JsonArray ?? [])
        {
            Collect(item, path + "[]", result);
        }

        foreach (var (name, value) in node as JsonObject ?? [])
        {
            var child = path.Length == 0 ? name : $"{path}.{name}";
            if (!s_ignored.Contains(child))
            {
                result.Add(child);
                Collect(value, child, result);
            }
        }
    }

    private static void WithoutToken(JsonObject pod)
    {
        static bool IsToken(JsonNode? n) => (n as JsonObject).Text("name")?.StartsWith("kube-api-access-", StringComparison.Ordinal) ?? false;
        static void Clean(JsonObject? holder, string list)
        {
            foreach (var token in holder.Items(list)?.Where(IsToken).ToArray() ?? [])
            {
                holder.Items(list)!.Remove(token);
            }

            if (holder.Items(list) is { Count: 0 })
            {
                holder!.Remove(list);
            }
        }

        var spec = pod.At("spec");
        Clean(spec, "volumes");
        foreach (var container in (spec.Items("containers") ?? []).Concat(spec.Items("initContainers") ?? []).OfType<JsonObject>())
        {
            Clean(container, "volumeMounts");
        }
    }
}
