using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Kubernetes;

/// <summary>
/// Whether the API server takes Pods with the rule RestartAllContainers. Old ones drop the field without a word, so only the answer to a dry
/// run tells. It is made with a Pod of the gang itself: whatever else is refused about that is known before anything is created.
/// </summary>
internal static class RestartProbe
{
    /// <summary>Null if it does; else what it has against it.</summary>
    /// <exception cref="RejectedException">A new gang whose Pods are refused for another reason.</exception>
    public static async Task<string?> RunAsync(IKubernetes client, ApiCalls calls, GangSpec spec, V1OwnerReference owner, bool isNew, CancellationToken cancellationToken)
    {
        var role = spec.Roles[0];
        var pod = PodFactory.Create(spec, new PodRequest { Name = $"{spec.Name}-probe", Role = role.Name }, owner, restartsInPlace: true);
        if (!PodFactory.HasRestartRule(pod)) return $"ConfigurePod of role '{role.Name}' takes the rule out";
        (pod.Metadata.Name, pod.Metadata.GenerateName) = (null, $"{spec.Name}-probe-");
        try
        {
            var answer = await calls.RunAsync(Permissions.Of("create", "pods", spec.Namespace),
                t => client.CoreV1.CreateNamespacedPodAsync(pod, spec.Namespace, dryRun: "All", cancellationToken: t), cancellationToken);
            return PodFactory.HasRestartRule(answer) ? null : "the API server drops container restart rules without a word (Kubernetes 1.34 or older, or its gate ContainerRestartRules is off)";
        }
        catch (RejectedException e) when (e.InnerException is HttpOperationException { Response.StatusCode: HttpStatusCode.UnprocessableEntity } http && IsAboutTheRule(http))
        {
            return "the API server does not accept RestartAllContainers (Kubernetes 1.35 or older, or its gate RestartAllContainersOnContainerExits is off)";
        }
        catch (RejectedException e) when (e.Message.Contains("does not support dry run", StringComparison.Ordinal))
        {
            // A webhook that no dry run may pass. Servers that lack the rule are older than most, so it is taken to be there.
            return null;
        }
        catch (RejectedException e) when (!isNew && e.InnerException is HttpOperationException { Response.StatusCode: not HttpStatusCode.Unauthorized })
        {
            // The gang runs and must be led, whatever the cluster thinks of new Pods by now. What its Pods can do stands in each of them.
            return null;
        }
    }

    private static bool IsAboutTheRule(HttpOperationException e) =>
        e.Response.Content is { } body && (body.Contains("restartPolicyRules", StringComparison.Ordinal) || body.Contains(PodFactory.RestartAllContainers, StringComparison.Ordinal));
}
