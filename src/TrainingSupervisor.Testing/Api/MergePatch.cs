using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>RFC 7386, and on top of it Kubernetes' merging of lists by a key.</summary>
internal static class MergePatch
{
    private static readonly Dictionary<string, string> s_keys = new()
    {
        ["containers"] = "name",
        ["initContainers"] = "name",
        ["ephemeralContainers"] = "name",
        ["volumes"] = "name",
        ["env"] = "name",
        ["imagePullSecrets"] = "name",
        ["volumeMounts"] = "mountPath",
        ["conditions"] = "type",
        ["addresses"] = "type",
        ["ownerReferences"] = "uid",
        ["hostAliases"] = "ip",
    };

    public static void Apply(JsonObject target, JsonObject patch, bool strategic)
    {
        foreach (var (name, value) in patch)
        {
            if (strategic && name.StartsWith('$'))
            {
                continue;
            }

            switch (value)
            {
                case null:
                    target.Remove(name);
                    break;
                case JsonObject child when strategic && child.Text("$patch") == "replace":
                    target[name] = Plain(child);
                    break;
                case JsonObject child:
                    Apply(target.Ensure(name), child, strategic);
                    break;
                case JsonArray list when strategic && s_keys.TryGetValue(name, out var key):
                    target[name] = Merge(target[name] as JsonArray, list, key);
                    break;
                case JsonArray list when strategic && name == "finalizers":
                    target[name] = Union(target[name] as JsonArray, list);
                    break;
                default:
                    target[name] = value.DeepClone();
                    break;
            }
        }
    }

    private static JsonArray Merge(JsonArray? current, JsonArray patch, string key)
    {
        var merged = current is null ? [] : (JsonArray)current.DeepClone();
        foreach (var item in patch.OfType<JsonObject>())
        {
            var existing = merged.OfType<JsonObject>().FirstOrDefault(o => o.Text(key) == item.Text(key));
            if (item.Text("$patch") == "delete")
            {
                merged.Remove(existing);
            }
            else if (existing is null)
            {
                merged.Add(Plain(item));
            }
            else
            {
                Apply(existing, item, strategic: true);
            }
        }

        return merged;
    }

    private static JsonArray Union(JsonArray? current, JsonArray patch)
    {
        var values = (current ?? []).Concat(patch).Select(n => n!.GetValue<string>()).Distinct();
        return new(values.Select(v => (JsonNode)v).ToArray());
    }

    private static JsonObject Plain(JsonObject patch)
    {
        var plain = new JsonObject();
        Apply(plain, patch, strategic: true);
        return plain;
    }
}
