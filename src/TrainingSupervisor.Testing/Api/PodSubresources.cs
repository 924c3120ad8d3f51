using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>POST to <c>pods/NAME/binding</c> and <c>pods/NAME/eviction</c>.</summary>
internal sealed class PodSubresources(ObjectStore store, TimeProvider time)
{
    public ApiResponse Create(ApiCall call, JsonObject body)
    {
        if (call.Type != ResourceType.Pods)
        {
            throw ResourceHandler.NoSubresource();
        }

        switch (call.Subresource)
        {
            case "binding":
                Bind(call, body.At("target").Text("name") ?? throw ApiError.BadRequest("the binding names no target"));
                break;
            case "eviction":
                Evict(call, body.At("deleteOptions"));
                break;
            default:
                throw ResourceHandler.NoSubresource();
        }

        return ApiResponse.Created(ApiResponse.Success(code: 201));
    }

    private void Bind(ApiCall call, string node)
    {
        if (call.DryRun)
        {
            return;
        }

        store.Update(call.Type, call.Namespace, call.Name!, pod =>
        {
            var spec = pod.Ensure("spec");
            if (spec.Text("nodeName") is { Length: > 0 } bound)
            {
                throw ApiError.Of(409, "Conflict",
                    $"Operation cannot be fulfilled on pods/binding \"{call.Name}\": pod {call.Name} is already assigned to node \"{bound}\"",
                    new JsonObject { ["name"] = call.Name, ["kind"] = "pods/binding" });
            }

            spec["nodeName"] = node;
            SetCondition(pod, new JsonObject
            {
                ["type"] = "PodScheduled",
                ["status"] = "True",
                ["lastProbeTime"] = null,
                ["lastTransitionTime"] = Json.Time(time.GetUtcNow()),
            });
            return pod;
        });
    }

    private void Evict(ApiCall call, JsonObject? options)
    {
        var pod = store.Get(call.Type, call.Namespace, call.Name!) ?? throw ApiError.NotFound(call.Type, call.Name!);
        if (call.DryRun)
        {
            return;
        }

        if (pod.At("status").Text("phase") is not ("Succeeded" or "Failed"))
        {
            DisruptionBudget.Check(store, pod);
            store.Update(call.Type, call.Namespace, call.Name!, o =>
            {
                SetCondition(o, new JsonObject
                {
                    ["type"] = "DisruptionTarget",
                    ["status"] = "True",
                    ["lastProbeTime"] = null,
                    ["lastTransitionTime"] = Json.Time(time.GetUtcNow()),
                    ["reason"] = "EvictionByEvictionAPI",
                    ["message"] = "Eviction API: evicting",
                });
                return o;
            });
        }

        var preconditions = options.At("preconditions");
        store.Delete(call.Type, call.Namespace, call.Name!,
            new(options.Number("gracePeriodSeconds"), preconditions.Text("uid") ?? pod.Uid()));
    }

    private static void SetCondition(JsonObject pod, JsonObject condition)
    {
        var status = pod.Ensure("status");
        var conditions = status.Items("conditions");
        if (conditions is null)
        {
            status["conditions"] = conditions = [];
        }

        if (conditions.OfType<JsonObject>().FirstOrDefault(c => c.Text("type") == condition.Text("type")) is { } old)
        {
            conditions.Remove(old);
        }

        conditions.Add(condition);
    }
}
