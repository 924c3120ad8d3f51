using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>A client's question what it may do.</summary>
internal static class AccessReview
{
    public const string Path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

    public static async Task<ApiResponse> AnswerAsync(HttpRequest request, TokenAuthority.Identity identity)
    {
        var body = await RequestBody.ReadAsync(request, request.HttpContext.RequestAborted).ConfigureAwait(false);
        var review = RequestBody.Parse(body, yaml: false) as JsonObject ?? throw ApiError.BadRequest("the request has no body");
        var asked = review.At("spec").At("resourceAttributes");
        var resource = asked.Text("subresource") is { Length: > 0 } sub ? $"{asked.Text("resource")}/{sub}" : asked.Text("resource") ?? "";
        review["kind"] = "SelfSubjectAccessReview";
        review["apiVersion"] = "authorization.k8s.io/v1";
        review["status"] = new JsonObject
        {
            ["allowed"] = identity.Rules.Any(r => r.Allows(
                asked.Text("verb") ?? "", asked.Text("group") ?? "", resource, Empty(asked.Text("namespace")), Empty(asked.Text("name")))),
        };
        return ApiResponse.Created(review);
    }

    private static string? Empty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
