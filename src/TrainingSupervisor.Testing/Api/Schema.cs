using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using k8s.Models;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>
/// Which fields there are, as the client library's models say it. A real API server drops fields that it does not
/// know, unless it was asked to be strict, and what is null or an empty list or map.
/// </summary>
internal static class Schema
{
    private static readonly Dictionary<ResourceType, Type> s_models = new()
    {
        [ResourceType.Pods] = typeof(V1Pod),
        [ResourceType.Nodes] = typeof(V1Node),
        [ResourceType.ConfigMaps] = typeof(V1ConfigMap),
        [ResourceType.Secrets] = typeof(V1Secret),
        [ResourceType.Services] = typeof(V1Service),
        [ResourceType.Leases] = typeof(V1Lease),
        [ResourceType.Events] = typeof(Corev1Event),
        [ResourceType.Namespaces] = typeof(V1Namespace),
        [ResourceType.ServiceAccounts] = typeof(V1ServiceAccount),
        [ResourceType.PriorityClasses] = typeof(V1PriorityClass),
        [ResourceType.DisruptionBudgets] = typeof(V1PodDisruptionBudget),
    };

    private static readonly ConcurrentDictionary<Type, Dictionary<string, Type>?> s_fields = [];

    /// <summary>Drops what is unknown.</summary>
    /// <exception cref="ApiError">400 in strict mode.</exception>
    public static void Prune(ResourceType type, JsonObject obj, bool strict)
    {
        var unknown = new List<string>();
        Prune(obj, s_models[type], "", unknown);
        if (strict && unknown.Count > 0)
        {
            throw ApiError.BadRequest($"{type.Kind} in version \"{type.Version}\" cannot be handled as a {type.Kind}: strict decoding error: "
                + string.Join(", ", unknown.Select(u => $"unknown field \"{u}\"")));
        }
    }

    private static void Prune(JsonNode? node, Type type, string path, List<string> unknown)
    {
        switch (node)
        {
            case JsonArray array when ElementOf(type, typeof(IList<>)) is { } element:
                for (var i = 0; i < array.Count; i++)
                {
                    Prune(array[i], element, $"{path}[{i}]", unknown);
                }

                break;
            case JsonObject obj when ElementOf(type, typeof(IDictionary<,>)) is { } value:
                foreach (var (name, child) in obj.ToArray())
                {
                    Prune(child, value, $"{path}.{name}", unknown);
                }

                break;
            case JsonObject obj when s_fields.GetOrAdd(type, FieldsOf) is { } fields:
                foreach (var (name, child) in obj.ToArray())
                {
                    var full = path.Length == 0 ? name : $"{path}.{name}";
                    if (IsNothing(child, fields.GetValueOrDefault(name)))
                    {
                        obj.Remove(name);
                    }
                    else if (fields.TryGetValue(name, out var model))
                    {
                        Prune(child, model, full, unknown);
                    }
                    else
                    {
                        obj.Remove(name);
                        unknown.Add(full);
                    }
                }

                break;
        }
    }

    private static bool IsNothing(JsonNode? node, Type? model) =>
        node is null or JsonArray { Count: 0 }
        || (node is JsonObject { Count: 0 } && model is not null && ElementOf(model, typeof(IDictionary<,>)) is not null);

    private static Type? ElementOf(Type type, Type generic) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == generic ? type.GetGenericArguments()[^1] : null;

    /// <summary>Null for what has no fields of its own: quantities, times, numbers or text.</summary>
    private static Dictionary<string, Type>? FieldsOf(Type type)
    {
        if (type.Namespace != typeof(V1Pod).Namespace || type.IsValueType || type == typeof(ResourceQuantity) || type == typeof(IntOrString))
        {
            return null;
        }

        var fields = type.GetProperties()
            .Select(p => (p.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name, p.PropertyType))
            .Where(p => p.Name is not null).ToDictionary(p => p.Name!, p => p.PropertyType);
        return fields.Count == 0 ? null : fields;
    }
}
