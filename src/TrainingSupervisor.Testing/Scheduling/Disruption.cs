using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Scheduling;

/// <summary>Conditions that others than the kubelet put on a Pod.</summary>
internal static class Disruption
{
    public static JsonObject Mark(JsonObject pod, string reason, string message, DateTimeOffset now) =>
        Set(pod, "DisruptionTarget", "True", reason, message, now);

    public static JsonObject Set(JsonObject obj, string type, string status, string? reason, string? message, DateTimeOffset now)
    {
        var holder = obj.Ensure("status");
        if (holder.Items("conditions") is not { } conditions)
        {
            holder["conditions"] = conditions = [];
        }

        var condition = conditions.OfType<JsonObject>().FirstOrDefault(c => c.Text("type") == type);
        if (condition is null)
        {
            conditions.Add(condition = new JsonObject { ["type"] = type });
            if (obj.Text("kind") == "Pod")
            {
                condition["lastProbeTime"] = null;
            }
        }

        if (condition.Text("status") != status)
        {
            condition["lastTransitionTime"] = Json.Time(now);
        }

        condition["status"] = status;
        Put(condition, "reason", reason);
        Put(condition, "message", message);
        return obj;
    }

    private static void Put(JsonObject obj, string name, string? value)
    {
        if (value is null)
        {
            obj.Remove(name);
        }
        else
        {
            obj[name] = value;
        }
    }
}
