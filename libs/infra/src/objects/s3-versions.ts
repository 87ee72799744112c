import { DeleteObjectCommand, ListObjectVersionsCommand, type S3Client } from '@aws-sdk/client-s3';

/** Deletes all versions of one object, and what says that it was deleted before. */
export async function deleteVersions(client: S3Client, bucket: string, key: string): Promise<void> {
  for (let keyMarker: string | undefined, versionMarker: string | undefined, more = true; more;) {
    const page = await client.send(
      new ListObjectVersionsCommand({
        Bucket: bucket,
        Prefix: key,
        ...(keyMarker !== undefined && { KeyMarker: keyMarker }),
        ...(versionMarker !== undefined && { VersionIdMarker: versionMarker }),
      }),
    );
    const found = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
    for (const version of found.filter((each) => each.Key === key))
      await client.send(
        new DeleteObjectCommand({ Bucket: bucket, Key: key, VersionId: version.VersionId ?? 'null' }),
      );
    keyMarker = page.NextKeyMarker;
    versionMarker = page.NextVersionIdMarker;
    // Keys that only begin like this one come after it.
    more = page.IsTruncated === true && keyMarker === key;
  }
}
