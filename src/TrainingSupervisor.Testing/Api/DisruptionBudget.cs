using System.Globalization;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Scheduling;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>Says no to evictions that a PodDisruptionBudget does not allow.</summary>
internal static class DisruptionBudget
{
    /// <exception cref="ApiError">429, without a Retry-After, as recorded.</exception>
    public static void Check(ObjectStore store, JsonObject pod)
    {
        foreach (var budget in store.List(ResourceType.DisruptionBudgets, pod.Namespace()).Items)
        {
            if (!LabelSelector.Matches(budget.At("spec").At("selector"), pod.At("metadata").At("labels")) || !IsHealthy(pod))
            {
                continue;
            }

            var guarded = store.List(ResourceType.Pods, pod.Namespace()).Items
                .Where(p => LabelSelector.Matches(budget.At("spec").At("selector"), p.At("metadata").At("labels"))).ToArray();
            var healthy = guarded.Count(IsHealthy);
            var needed = budget.At("spec")?["maxUnavailable"] is { } most
                ? guarded.Length - Amount(most, guarded.Length)
                : Amount(budget.At("spec")?["minAvailable"] ?? 0, guarded.Length);
            if (healthy - 1 < needed)
            {
                throw ApiError.Of(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", new JsonObject
                {
                    ["causes"] = new JsonArray(new JsonObject
                    {
                        ["reason"] = "DisruptionBudget",
                        ["message"] = $"The disruption budget {budget.Name()} needs {needed} healthy pods and has {healthy} currently",
                    }),
                });
            }
        }
    }

    private static bool IsHealthy(JsonObject pod) =>
        pod.At("metadata").Text("deletionTimestamp") is null
        && (pod.At("status").Items("conditions")?.OfType<JsonObject>().Any(c => c.Text("type") == "Ready" && c.Text("status") == "True") ?? false);

    /// <summary>A number, or a percentage of all, rounded up.</summary>
    private static int Amount(JsonNode value, int all)
    {
        var text = value.ToString();
        return text.EndsWith('%')
            ? (int)Math.Ceiling(all * int.Parse(text.TrimEnd('%'), CultureInfo.InvariantCulture) / 100.0)
            : int.Parse(text, CultureInfo.InvariantCulture);
    }
}
